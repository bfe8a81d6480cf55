// Settings: kept in localStorage as one object, checked field by field when read.
import { effect, signal } from "@preact/signals";
import type { Settings } from "./types";

const kKey = "tern.settings";

export const kDefaults: Settings = {
  theme: "system",
  system: "",
  temperature: 0.7,
  topP: 0.95,
  topK: 0,
  minP: 0.05,
  repetitionPenalty: 1,
  maxTokens: 0,
  seed: 0,
  device: "auto",
  context: 0,
};

const kChoices: Record<string, readonly string[]> = {
  theme: ["system", "light", "dark"],
  device: ["auto", "gpu", "cpu"],
};

/// What of `text` is a setting of the right type; the defaults for the rest.
export function parseSettings(text: string | null): Settings {
  let stored: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value === "object" && value !== null) stored = value as Record<string, unknown>;
  } catch {
    // not ours any more: the defaults
  }
  const valid = Object.entries(kDefaults).map(([key, fallback]) => {
    const value = stored[key];
    const fits = typeof value === typeof fallback && (kChoices[key]?.includes(value as string) ?? true);
    return [key, fits && !Number.isNaN(value) ? value : fallback];
  });
  return Object.fromEntries(valid) as Settings;
}

/// localStorage, or nothing where the browser refuses it.
export function readLocal(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeLocal(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // refused or full: the setting lives as long as the page
  }
}

export const settings = signal<Settings>(parseSettings(readLocal(kKey)));

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
  writeLocal(kKey, JSON.stringify(settings.value));
}

effect(() => {
  const { theme } = settings.value;
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
});
