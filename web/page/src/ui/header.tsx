// Above the chat: which model runs where, how far a new one is, and the ways to the panels.
import { cancelOpening, device, failure, info, open, opening } from "../state/model";
import { menuOpen, modelsOpen, panel, togglePanel } from "../state/view";
import type { Panel } from "../state/view";
import { IconButton } from "./controls";
import { Icon } from "./icons";
import type { IconName } from "./icons";
import { modelTitle } from "./model_names";
import { ProgressLine } from "./progress";

const kPanels: [Panel, IconName, string][] = [
  ["speed", "gauge", "Speed and memory"],
  ["gpu", "chip", "What happens on the GPU"],
  ["settings", "sliders", "Settings"],
];

export function Header() {
  return (
    <header class="header">
      <div class="header-row">
        <IconButton
          icon="menu"
          label="Conversations"
          class="narrow-only"
          onClick={() => (menuOpen.value = !menuOpen.value)}
        />
        <ModelButton />
        <div class="grow" />
        {kPanels.map(([which, icon, label]) => (
          <IconButton
            key={which}
            icon={icon}
            label={label}
            pressed={panel.value === which}
            onClick={() => togglePanel(which)}
          />
        ))}
      </div>
      {opening.value !== null && <ProgressLine opening={opening.value} onCancel={cancelOpening} />}
      {failure.value !== null && <FailureNote />}
    </header>
  );
}

function ModelButton() {
  const name = info.value === null ? (opening.value?.name ?? "No model") : modelTitle(info.value.name);
  const kind = device.value?.kind === "gpu" ? "GPU" : "CPU";
  return (
    <button type="button" class="model-button" aria-haspopup="dialog" onClick={() => (modelsOpen.value = true)}>
      <span class="model-name">{name}</span>
      {info.value !== null && (
        <span class="chip" title={device.value?.why ?? ""}>
          {kind}
        </span>
      )}
      <Icon name="down" />
    </button>
  );
}

function FailureNote() {
  const failed = failure.value;
  if (failed === null) return null;
  const { source, name, message, full } = failed;
  // The engine tells what went wrong, then where; its files all lie in /model.
  const [what, ...where] = message.replaceAll("/model/", "").split(" - while ");
  return (
    <div class="failure" role="alert">
      <Icon name="warning" />
      <div class="grow">
        <strong>{name} could not be opened.</strong>
        <p>{what}</p>
        {where.length > 0 && <p class="hint">{`While ${[...new Set(where)].join(", while ")}.`}</p>}
        <div class="row">
          <button type="button" class="button" onClick={() => void open(source)}>
            Try again
          </button>
          <button type="button" class="button" onClick={() => (modelsOpen.value = true)}>
            {full ? "Delete models" : "Choose another model"}
          </button>
          {full && source.kind === "url" && (
            <button type="button" class="button" onClick={() => void open({ ...source, keep: false })}>
              Open it without storing it
            </button>
          )}
        </div>
      </div>
      <IconButton icon="close" label="Dismiss" onClick={() => (failure.value = null)} />
    </div>
  );
}
