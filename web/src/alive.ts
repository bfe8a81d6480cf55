// Whether a worker still lives. One that is terminated, or killed for its memory, says nothing; but the browser takes
// back its locks, and whoever waits for one of them gets it.

/// In the worker: holds a lock as long as it lives. Resolves when it does.
export async function holdLock(name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const forever = () => {
      resolve();
      return new Promise<never>(() => undefined);
    };
    navigator.locks.request(name, forever).catch(reject);
  });
}

/// In the page: resolves when the holder is gone. Precondition: it holds the lock already.
export async function lockIsFree(name: string): Promise<void> {
  await navigator.locks.request(name, () => undefined);
}
