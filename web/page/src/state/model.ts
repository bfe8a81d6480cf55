// The model that answers: which one is open, which one is being opened and how far, and what went wrong. While another
// one opens, the old one stays until the new one is there, unless both would not fit in memory.
import { signal } from "@preact/signals";
import { Models, Tern, TernError } from "@tern/web";
import type { DeviceInfo, LoadOptions, ModelInfo, Progress } from "@tern/web";
import { fetchDemo, kDemoName } from "./demo";
import { tell } from "./notices";
import { readLocal, settings, writeLocal } from "./settings";

export type Source =
  | { kind: "demo" }
  | { kind: "stored"; name: string }
  | { kind: "url"; url: string; sha256: string; keep?: boolean } // keep: in the browser's storage; default: yes
  | { kind: "files"; files: File[] };

export interface Opening {
  source: Source;
  name: string;
  progress: Progress | null;
}

export interface Failure {
  source: Source;
  name: string;
  message: string;
  full: boolean; // it could not be stored
}

const kKey = "tern.model"; // what to open at the next visit
const kKeepBytes = 1 << 30; // an open model up to this size stays while another one opens

export const model = signal<Tern | null>(null);
export const info = signal<ModelInfo | null>(null);
export const device = signal<DeviceInfo | null>(null);
export const opening = signal<Opening | null>(null);
export const failure = signal<Failure | null>(null);
export const keepable = signal<File[]>([]); // files of the open model that this browser does not keep yet

let opened: Source = { kind: "demo" };
let abort = new AbortController();
let waiting: Promise<void> = Promise.resolve();

export function nameOf(source: Source): string {
  switch (source.kind) {
    case "demo":
      return kDemoName;
    case "stored":
      return source.name;
    case "url":
      return decodeURIComponent(source.url.split(/[?#]/)[0]?.split("/").pop() ?? "") || source.url;
    case "files":
      return source.files[0]?.name ?? "no file";
  }
}

/// The model that answers next; waits for one that is being opened. null: there is none.
export async function whenReady(): Promise<Tern | null> {
  await waiting;
  return model.value;
}

/// Opens another model; an opening one is given up. What goes wrong ends in `failure`.
export function open(source: Source): Promise<void> {
  abort.abort();
  abort = new AbortController();
  waiting = load(source, abort.signal);
  return waiting;
}

export function cancelOpening(): void {
  abort.abort();
}

/// The same model with other settings of device or context.
export const reopen = (): Promise<void> => open(opened);

async function load(source: Source, signal: AbortSignal): Promise<void> {
  const name = nameOf(source);
  failure.value = null;
  opening.value = { source, name, progress: null };
  if ((info.value?.weightsBytes ?? 0) > kKeepBytes) await close();
  const onProgress = (progress: Progress) => {
    if (!signal.aborted) opening.value = { source, name, progress };
  };
  try {
    const tern = await start(source, { ...wishes(), signal, onProgress, onDevice });
    if (signal.aborted) return void tern.unload();
    await close();
    model.value = tern;
    info.value = tern.info;
    device.value = tern.info.device;
    opened = source;
    keepable.value = source.kind === "files" ? source.files : [];
    remember(source, tern.info);
  } catch (error) {
    const full = source.kind === "url" && error instanceof TernError && error.code === "storage";
    if (!signal.aborted) failure.value = { source, name, message: sentence(error), full };
  } finally {
    if (opening.value?.source === source) opening.value = null;
  }
}

function wishes(): LoadOptions {
  const { device, context } = settings.value;
  return context > 0 ? { device, context } : { device };
}

async function start(source: Source, options: LoadOptions): Promise<Tern> {
  switch (source.kind) {
    case "demo":
      return Tern.load(fetchDemo(options), options);
    case "stored":
      return Tern.load(source.name, options);
    case "url":
      if (source.sha256 !== "") options.sha256 = source.sha256;
      return Tern.load(source.url, { ...options, store: source.keep ?? true });
    case "files":
      return Tern.load(source.files.length === 1 ? (source.files[0] as File) : source.files, options);
  }
}

async function close(): Promise<void> {
  const old = model.value;
  model.value = null;
  info.value = null;
  await old?.unload();
}

function onDevice(next: DeviceInfo): void {
  device.value = next;
  tell(next.why);
}

/// Copies the open model's files into the browser's storage, where the next visit finds them.
export async function keep(): Promise<void> {
  const files = keepable.value;
  keepable.value = [];
  try {
    const name = await Models.add(files);
    writeLocal(kKey, JSON.stringify({ kind: "stored", name }));
    tell(`${name} is kept in this browser now.`);
  } catch (error) {
    keepable.value = files;
    tell(sentence(error));
  }
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function remember(source: Source, { stored }: ModelInfo): void {
  if (stored !== null) writeLocal(kKey, JSON.stringify({ kind: "stored", name: stored }));
  else if (source.kind === "demo") writeLocal(kKey, JSON.stringify(source));
}

/// What was open at the last visit, if it is still there; else the demo model.
export async function openLast(): Promise<void> {
  const name = storedName(readLocal(kKey));
  if (name !== null && (await isStored(name))) await open({ kind: "stored", name });
  else await open({ kind: "demo" });
}

function storedName(text: string | null): string | null {
  try {
    const value = JSON.parse(text ?? "null") as { kind?: unknown; name?: unknown } | null;
    return value?.kind === "stored" && typeof value.name === "string" ? value.name : null;
  } catch {
    return null;
  }
}

async function isStored(name: string): Promise<boolean> {
  try {
    return (await Models.list()).some((entry) => entry.name === name && entry.complete);
  } catch {
    return false;
  }
}
