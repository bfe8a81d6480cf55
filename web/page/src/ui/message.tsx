// One message: a question with its editor, or an answer with what it took.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { edit, isAnswering, live, regenerate } from "../state/chat";
import type { AnswerStats, ChatMessage } from "../state/types";
import { splitThoughts } from "../thoughts";
import { CopyButton, IconButton } from "./controls";
import { milliseconds, plural, rate } from "./format";
import { Icon } from "./icons";
import { Markdown } from "./markdown";
import { modelTitle } from "./model_names";

export function Question({ message }: { message: ChatMessage }) {
  const [editing, setEditing] = useState(false);
  if (editing) return <Editor message={message} onClose={() => setEditing(false)} />;
  return (
    <article class="message question" aria-label="You">
      <div class="bubble">{message.text}</div>
      <div class="actions">
        <IconButton icon="pencil" label="Edit" disabled={isAnswering.value} onClick={() => setEditing(true)} />
        <CopyButton text={message.text} label="Copy message" />
      </div>
    </article>
  );
}

function Editor({ message, onClose }: { message: ChatMessage; onClose: () => void }) {
  const [text, setText] = useState(message.text);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);
  const submit = () => {
    onClose();
    edit(message.id, text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <article class="message question editing" aria-label="You, editing">
      <textarea
        ref={box}
        aria-label="Edit your message"
        rows={Math.min(10, text.split("\n").length + 1)}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="row end">
        <span class="hint grow">What came after it will be replaced.</span>
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="button primary" disabled={text.trim() === ""} onClick={submit}>
          Send
        </button>
      </div>
    </article>
  );
}

export function Answer({ message }: { message: ChatMessage }) {
  const { text, error, note, stats } = message;
  return (
    <article class="message answer" aria-label={modelTitle(message.model || "Model")}>
      <Said text={text} />
      {error !== undefined && (
        <p class="error" role="alert">
          <Icon name="warning" /> <span>{error}</span>
        </p>
      )}
      {note !== undefined && <p class="note">{note}</p>}
      <div class="actions">
        {text !== "" && <CopyButton text={splitThoughts(text).answer} label="Copy answer" />}
        <IconButton
          icon="again"
          label="Another answer"
          disabled={isAnswering.value}
          onClick={() => regenerate(message.id)}
        />
        {stats !== undefined && <Took stats={stats} />}
      </div>
    </article>
  );
}

/// An answer's text; thoughts before it are folded away.
function Said({ text }: { text: string }) {
  const { thoughts, answer, thinking } = splitThoughts(text);
  return (
    <>
      {thoughts !== "" && (
        <details class="thoughts">
          <summary>{thinking ? "Thinking…" : "Thoughts"}</summary>
          <Markdown text={thoughts} />
        </details>
      )}
      {answer !== "" && <Markdown text={answer} />}
    </>
  );
}

function Took({ stats }: { stats: AnswerStats }) {
  const speed = stats.tokens > 1 ? ` · ${rate(stats.tokensPerSecond)} tokens/s` : "";
  return (
    <span class="took">
      {plural(stats.tokens, "token")}
      {speed}
      <span class="wide-only"> · first after {milliseconds(stats.firstTokenMs)}</span>
    </span>
  );
}

const kPhases = { loading: "Waiting for the model to open", reading: "Reading", writing: "Writing" };

/// The one thing that changes with every token. onGrow: called when it has, before the page is painted.
export function LiveAnswer({ onGrow }: { onGrow: () => void }) {
  const answer = live.value;
  useLayoutEffect(onGrow);
  if (answer === null) return null;
  return (
    <article class="message answer live" aria-label="The answer being written" aria-busy="true">
      {answer.text === "" ? (
        <p class="waiting">
          {kPhases[answer.phase]}
          <span class="dots" aria-hidden="true" />
        </p>
      ) : (
        <Said text={answer.text} />
      )}
    </article>
  );
}
