// The page: conversations, the chat, a panel; and what holds for all of it: dropped files, keys, notices.
import { useEffect, useState } from "preact/hooks";
import { announcement, live, stop } from "../state/chat";
import { currentId } from "../state/conversations";
import { open } from "../state/model";
import { dismiss, notice } from "../state/notices";
import { menuOpen, panel } from "../state/view";
import { Composer } from "./composer";
import { IconButton } from "./controls";
import { ConversationView } from "./conversation";
import { Header } from "./header";
import { ModelsDialog } from "./models_dialog";
import { SidePanel } from "./panel";
import { Sidebar } from "./sidebar";

export function App() {
  const dropping = useDrop();
  useKeys();
  return (
    <>
      <a class="skip" href="#message-box">
        To the message box
      </a>
      <Sidebar />
      <main class="main">
        <Header />
        <ConversationView />
        <Composer />
      </main>
      <SidePanel />
      <ModelsDialog />
      <NoticeBar />
      <div class="hidden" role="status">
        {announcement.value}
      </div>
      {dropping && <div class="drop">Drop a GGUF file to chat with it</div>}
    </>
  );
}

function NoticeBar() {
  const shown = notice.value;
  const run = () => {
    dismiss();
    shown?.action?.run();
  };
  return (
    <div class="notices" role="status">
      {shown !== null && (
        <div class="notice">
          <span class="grow">{shown.text}</span>
          {shown.action && (
            <button type="button" class="link-button" onClick={run}>
              {shown.action.label}
            </button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={dismiss} />
        </div>
      )}
    </div>
  );
}

/// Whether a file hovers over the page; a dropped one is opened.
function useDrop(): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) void open({ kind: "files", files });
    };
    const listeners = { dragover: onOver, dragleave: onLeave, drop: onDrop };
    for (const [type, listener] of Object.entries(listeners)) addEventListener(type as "drop", listener);
    return () => {
      for (const [type, listener] of Object.entries(listeners)) removeEventListener(type as "drop", listener);
    };
  }, []);
  return over;
}

function onKey(event: KeyboardEvent): void {
  const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) {
    if (live.value !== null) stop();
    else if (menuOpen.value) menuOpen.value = false;
    else panel.value = null;
  } else if (event.key === "Enter" && event.ctrlKey && event.shiftKey) {
    event.preventDefault();
    currentId.value = null;
  } else if (event.key === "/" && !typing && document.querySelector("dialog[open]") === null) {
    event.preventDefault();
    document.getElementById("message-box")?.focus();
  }
}

function useKeys(): void {
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
