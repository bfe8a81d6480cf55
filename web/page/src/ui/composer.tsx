// Where one writes. Enter sends, Shift+Enter starts a line, Escape stops.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isAnswering, send, stop } from "../state/chat";
import { currentId } from "../state/conversations";
import { IconButton } from "./controls";

const draft = signal("");
const kMaxHeight = 220; // pixels

export function Composer() {
  const box = useRef<HTMLTextAreaElement>(null);
  const busy = isAnswering.value;
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) box.current?.focus();
  }, [currentId.value]);
  useEffect(() => fit(box.current), [draft.value]);
  const submit = () => {
    if (send(draft.value)) draft.value = "";
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <form
      class="composer column"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="composer-box">
        <textarea
          ref={box}
          id="message-box"
          rows={1}
          aria-label="Message"
          placeholder="Write a message"
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={onKeyDown}
        />
        {busy ? (
          <IconButton icon="stop" label="Stop (Escape)" class="send" onClick={stop} />
        ) : (
          <IconButton
            icon="send"
            label="Send (Enter)"
            class="send"
            disabled={draft.value.trim() === ""}
            onClick={submit}
          />
        )}
      </div>
    </form>
  );
}

/// As high as its text.
function fit(box: HTMLTextAreaElement | null): void {
  if (box === null) return;
  box.style.height = "auto";
  box.style.height = `${Math.min(kMaxHeight, box.scrollHeight)}px`;
}
