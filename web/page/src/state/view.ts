// What is open on the screen.
import { signal } from "@preact/signals";

export type Panel = "settings" | "speed" | "gpu";

export const panel = signal<Panel | null>(null);
export const menuOpen = signal(false); // the list of conversations, where there is no room for it
export const modelsOpen = signal(false);

export function togglePanel(which: Panel): void {
  panel.value = panel.value === which ? null : which;
}
