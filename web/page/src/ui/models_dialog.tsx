// Where models come from: the one of the page, those kept in this browser, an address, a file.
import { signal } from "@preact/signals";
import { Models } from "@tern/web";
import type { StoredModel } from "@tern/web";
import { useEffect, useRef, useState } from "preact/hooks";
import { kDemoBytes, kDemoFile, kDemoName } from "../state/demo";
import { device, info, keep, keepable, open } from "../state/model";
import type { Source } from "../state/model";
import { tell } from "../state/notices";
import { modelsOpen } from "../state/view";
import { IconButton } from "./controls";
import { bytes } from "./format";
import { Icon } from "./icons";
import { modelTitle } from "./model_names";

const stored = signal<StoredModel[]>([]);
const kSavingMs = 10 * 60_000; // a saved file stays reachable for so long
const room = signal(""); // a sentence
const refused = signal(false); // nothing can be stored

async function refresh(): Promise<void> {
  try {
    stored.value = await Models.list();
    const { usage, quota } = await Models.estimate();
    room.value = quota > 0 ? `${bytes(usage)} used of ${bytes(quota)} that this browser grants.` : "";
    refused.value = false;
  } catch (error) {
    room.value = (error as Error).message;
    refused.value = true;
  }
}

function choose(source: Source): void {
  modelsOpen.value = false;
  void open(source);
}

export function ModelsDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!modelsOpen.value) return dialog.current?.close();
    void refresh();
    dialog.current?.showModal();
  }, [modelsOpen.value]);
  const onBackdrop = (event: MouseEvent) => {
    if (event.target === dialog.current) modelsOpen.value = false;
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="models-title"
      onClose={() => (modelsOpen.value = false)}
      onClick={onBackdrop}
    >
      <div class="dialog-body">
        <div class="row">
          <h2 id="models-title" class="grow">
            Models
          </h2>
          <IconButton icon="close" label="Close" onClick={() => (modelsOpen.value = false)} />
        </div>
        {info.value !== null && <OpenNow />}
        <FromHere />
        <FromFile />
        <FromUrl />
      </div>
    </dialog>
  );
}

function OpenNow() {
  const facts = info.value;
  if (facts === null) return null;
  return (
    <section class="open-now">
      <h3>Open now</h3>
      <p class="model-title">{modelTitle(facts.name)}</p>
      <p class="hint">
        {facts.arch} · {bytes(facts.weightsBytes)} of weights · context of {facts.context} tokens
      </p>
      <p class="hint">{device.value?.why}</p>
      {keepable.value.length > 0 && (
        <button type="button" class="button" onClick={() => void keep().then(refresh)}>
          <Icon name="save" /> Keep it in this browser
        </button>
      )}
    </section>
  );
}

function FromHere() {
  return (
    <section>
      <h3>On this machine</h3>
      <ul class="models">
        <li class="model">
          <button type="button" class="model-choice" onClick={() => choose({ kind: "demo" })}>
            <span class="model-title">{kDemoName}</span>
            <span class="hint">{bytes(kDemoBytes)} · comes with this page, answers at once</span>
          </button>
          {info.value?.name === kDemoFile && <Icon name="check" />}
        </li>
        {stored.value.map((entry) => (
          <Stored key={entry.name} entry={entry} />
        ))}
      </ul>
      <p class="hint">{room.value}</p>
    </section>
  );
}

/// What a click on a stored model does: a download that was interrupted goes on.
function sourceOf({ name, complete, url }: StoredModel): Source {
  return complete || url === null ? { kind: "stored", name } : { kind: "url", url, sha256: "" };
}

function Stored({ entry }: { entry: StoredModel }) {
  const { name, bytes: size, totalBytes, complete } = entry;
  const drop = async () => {
    await Models.delete(name).then(
      () => tell(`${name} was deleted; ${bytes(size)} are free again.`),
      (error: unknown) => tell((error as Error).message),
    );
    await refresh();
  };
  return (
    <li class="model">
      <button type="button" class="model-choice" onClick={() => choose(sourceOf(entry))}>
        <span class="model-title">{modelTitle(name)}</span>
        <span class="hint">
          {complete
            ? `${bytes(size)} · kept in this browser`
            : `${bytes(size)} of ${totalBytes > 0 ? bytes(totalBytes) : "an unknown size"} · click to go on`}
        </span>
      </button>
      {info.value?.stored === name && <Icon name="check" />}
      {complete && <IconButton icon="save" label={`Save ${name} as a file`} onClick={() => void save(name)} />}
      <IconButton icon="trash" label={`Delete ${name}`} onClick={() => void drop()} />
    </li>
  );
}

async function save(name: string): Promise<void> {
  try {
    for (const file of await Models.export(name)) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), kSavingMs);
    }
  } catch (error) {
    tell((error as Error).message);
  }
}

function FromFile() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <section>
      <h3>From a file</h3>
      <div class="row">
        <button type="button" class="button" onClick={() => input.current?.click()}>
          <Icon name="file" /> Choose a GGUF file
        </button>
        <span class="hint grow">or drop it anywhere on the page. All parts of a split model together.</span>
      </div>
      <input
        ref={input}
        class="hidden"
        type="file"
        accept=".gguf"
        multiple
        tabIndex={-1}
        aria-label="GGUF file"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = ""; // the same file may be chosen again
          if (files.length > 0) choose({ kind: "files", files });
        }}
      />
    </section>
  );
}

function FromUrl() {
  const [url, setUrl] = useState("");
  const [sha256, setSha256] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (url.trim() !== "") choose({ kind: "url", url: url.trim(), sha256: sha256.trim() });
  };
  return (
    <section>
      <h3>From an address</h3>
      <form onSubmit={submit}>
        <div class="row">
          <input
            class="input grow"
            type="url"
            inputMode="url"
            aria-label="Address of a GGUF file"
            placeholder="https://example.org/model.gguf"
            value={url}
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
          <button type="submit" class="button primary" disabled={url.trim() === ""}>
            Download
          </button>
        </div>
        <details>
          <summary>Check its SHA-256</summary>
          <input
            class="input"
            aria-label="SHA-256 of the file"
            placeholder="64 hexadecimal digits"
            value={sha256}
            onInput={(event) => setSha256(event.currentTarget.value)}
          />
        </details>
        <p class="hint">
          {refused.value
            ? "It is downloaded at every visit, since nothing can be kept. "
            : "It is kept in this browser, and an interrupted download goes on where it ended. "}
          The server must allow other pages to read it (CORS).
        </p>
      </form>
    </section>
  );
}
