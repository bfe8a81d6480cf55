// One short notice at the bottom of the page, with at most one thing to do about it.
import { signal } from "@preact/signals";

export interface Notice {
  text: string;
  action?: { label: string; run: () => void };
}

const kShownMs = 8000;

export const notice = signal<Notice | null>(null);
let timer = 0;

export function tell(text: string, action?: Notice["action"]): void {
  clearTimeout(timer);
  notice.value = action === undefined ? { text } : { text, action };
  timer = window.setTimeout(dismiss, kShownMs);
}

export function dismiss(): void {
  notice.value = null;
}
