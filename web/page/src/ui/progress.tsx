// How far the opening of a model is: a sentence and a bar.
import type { Progress } from "@tern/web";
import type { Opening } from "../state/model";
import { bytes } from "./format";

const kDoing: Record<Progress["phase"], string> = {
  download: "Downloading",
  read: "Reading",
  upload: "Placing the weights of",
  compile: "Compiling kernels for",
};

/// All weights are on the device; kernels may still compile.
const isPlaced = ({ phase, loaded, total }: Progress): boolean => phase === "upload" && loaded >= total;

function sentence({ name, progress }: Opening): string {
  if (progress === null) return `Opening ${name}`;
  if (isPlaced(progress)) return `Getting ${name} ready`;
  const { phase, loaded, total } = progress;
  if (phase === "compile") return `${kDoing.compile} ${name}: ${loaded} of ${total}`;
  const amount = total > 0 ? `${bytes(loaded)} of ${bytes(total)}` : bytes(loaded);
  return `${kDoing[phase]} ${name}: ${amount}`;
}

export function ProgressLine({ opening, onCancel }: { opening: Opening; onCancel: () => void }) {
  const { progress } = opening;
  const known = progress !== null && progress.total > 0 && !isPlaced(progress);
  return (
    <div class="progress-line">
      <div class="row">
        <span class="grow progress-text">{sentence(opening)}</span>
        <button type="button" class="link-button" onClick={onCancel}>
          Cancel
        </button>
      </div>
      {known ? (
        <progress aria-label={`Opening ${opening.name}`} value={progress.loaded} max={progress.total} />
      ) : (
        <progress aria-label={`Opening ${opening.name}`} />
      )}
    </div>
  );
}
