// A turn of the event loop without the wait of a timer: setTimeout sleeps a millisecond in Node and four in a page,
// and a token takes two.
const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

function open(): MessageChannel {
  const made = new MessageChannel();
  made.port1.onmessage = () => waiting.shift()?.();
  return made;
}

/// Resolves when timers, messages and input that were due had their turn.
export function breathe(): Promise<void> {
  if (typeof setImmediate === "function") return new Promise((resolve) => setImmediate(resolve));
  channel ??= open();
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel?.port2.postMessage(null);
  });
}
