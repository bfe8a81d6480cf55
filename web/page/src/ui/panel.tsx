// The panel beside the chat, or over it where there is no room: settings, speed, the GPU's steps.
import { panel } from "../state/view";
import type { Panel } from "../state/view";
import { IconButton } from "./controls";
import { GpuPanel } from "./gpu_panel";
import { SettingsPanel } from "./settings_panel";
import { SpeedPanel } from "./speed_panel";

const kPanels: Record<Panel, { title: string; Content: () => preact.JSX.Element }> = {
  settings: { title: "Settings", Content: SettingsPanel },
  speed: { title: "Speed and memory", Content: SpeedPanel },
  gpu: { title: "What happens on the GPU", Content: GpuPanel },
};

export function SidePanel() {
  if (panel.value === null) return null;
  const { title, Content } = kPanels[panel.value];
  return (
    <aside class="panel" aria-labelledby="panel-title">
      <div class="panel-head">
        <h2 id="panel-title" class="grow">
          {title}
        </h2>
        <IconButton icon="close" label="Close the panel" onClick={() => (panel.value = null)} />
      </div>
      <div class="panel-body" key={panel.value} tabIndex={0} role="region" aria-labelledby="panel-title">
        <Content />
      </div>
    </aside>
  );
}
