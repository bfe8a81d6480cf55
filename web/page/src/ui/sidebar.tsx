// The list of conversations. Beside the chat where there is room, else a drawer over it.
import { useState } from "preact/hooks";
import { conversations, currentId, put, remove, rename } from "../state/conversations";
import { live, stop } from "../state/chat";
import { tell } from "../state/notices";
import { change, settings } from "../state/settings";
import { kept } from "../state/storage";
import type { Conversation, Theme } from "../state/types";
import { menuOpen } from "../state/view";
import { IconButton } from "./controls";
import { Icon, Mark } from "./icons";

function show(id: string | null): void {
  currentId.value = id;
  menuOpen.value = false;
}

export function Sidebar() {
  return (
    <>
      {menuOpen.value && <div class="shade" onClick={() => (menuOpen.value = false)} />}
      <nav class={menuOpen.value ? "sidebar open" : "sidebar"} aria-label="Conversations">
        <div class="sidebar-head">
          <span class="brand">
            <Mark /> Tern
          </span>
          <IconButton
            icon="close"
            label="Close the list"
            class="narrow-only"
            onClick={() => (menuOpen.value = false)}
          />
        </div>
        <button type="button" class="button new-chat" onClick={() => show(null)}>
          <Icon name="plus" /> New chat
        </button>
        <ul class="conversations">
          {conversations.value.map((conversation) => (
            <Entry key={conversation.id} conversation={conversation} />
          ))}
        </ul>
        {conversations.value.length === 0 && <p class="hint">Your conversations will be listed here.</p>}
        <div class="sidebar-foot">
          <p class="hint">
            {kept.value
              ? "Kept in this browser only."
              : "This browser refuses storage here: conversations end with the page."}
          </p>
          <ThemeChoice />
        </div>
      </nav>
    </>
  );
}

function Entry({ conversation }: { conversation: Conversation }) {
  const { id, title } = conversation;
  const [renaming, setRenaming] = useState(false);
  if (renaming) return <Rename conversation={conversation} onClose={() => setRenaming(false)} />;
  const drop = () => {
    if (live.value?.conversation === id) stop();
    const gone = remove(id);
    if (gone !== null) tell(`“${gone.title}” was deleted.`, { label: "Undo", run: () => put(gone) });
  };
  return (
    <li class={id === currentId.value ? "entry current" : "entry"}>
      <button type="button" class="entry-title" aria-current={id === currentId.value} onClick={() => show(id)}>
        {title}
      </button>
      <IconButton icon="pencil" label={`Rename ${title}`} onClick={() => setRenaming(true)} />
      <IconButton icon="trash" label={`Delete ${title}`} onClick={drop} />
    </li>
  );
}

function Rename({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const finish = (text: string) => {
    rename(conversation.id, text);
    onClose();
  };
  return (
    <li class="entry">
      <input
        class="input"
        aria-label="Title"
        defaultValue={conversation.title}
        ref={(box) => box?.focus()}
        onBlur={(event) => finish(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") finish(event.currentTarget.value);
          if (event.key === "Escape") onClose();
        }}
      />
    </li>
  );
}

const kThemes: [Theme, string][] = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function ThemeChoice() {
  return (
    <fieldset class="segments">
      <legend class="hidden">Theme</legend>
      {kThemes.map(([theme, label]) => (
        <label key={theme}>
          <input
            type="radio"
            name="theme"
            checked={settings.value.theme === theme}
            onChange={() => change({ theme })}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
