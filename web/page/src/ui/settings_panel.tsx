// Settings, each with what it does in plain words.
import { info, reopen } from "../state/model";
import { change, kDefaults, settings } from "../state/settings";
import type { DeviceWish, Settings } from "../state/types";
import { Field } from "./controls";

type NumberKey = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];

export function SettingsPanel() {
  return (
    <div class="settings">
      <SystemPrompt />
      <h3>How words are chosen</h3>
      <Presets />
      <Slider name="temperature" label="Temperature" min={0} max={2} step={0.05}
        hint="How daring it is. 0 always takes the likeliest word; above 1 it starts to ramble." />
      <Slider name="topP" label="Top-p" min={0.05} max={1} step={0.05}
        hint="Only the likeliest words that together have this share of the probability. 1 allows all." />
      <Slider name="minP" label="Min-p" min={0} max={0.5} step={0.01}
        hint="Drops words less likely than this share of the likeliest one. 0 allows all." />
      <Slider name="topK" label="Top-k" min={0} max={200} step={1} off="off"
        hint="Only so many of the likeliest words. 0 turns it off." />
      <Slider name="repetitionPenalty" label="Repetition penalty" min={1} max={2} step={0.05} off="off" offAt={1}
        hint="Makes words that were used already less likely. 1 turns it off." />
      <h3>Answers</h3>
      <NumberField name="maxTokens" label="Longest answer, in tokens" max={100_000} empty="as long as it fits"
        hint="A token is about three quarters of a word. Empty: the model decides." />
      <NumberField name="seed" label="Seed" max={4_294_967_295} empty="another one each time"
        hint="The same seed and settings give the same answer again. Empty: every answer is new." />
      <h3>The model</h3>
      <Device />
      <NumberField name="context" label="Context, in tokens" max={1_048_576} empty="the model's own, at most 4096"
        hint="How much of a conversation it sees. More takes more memory. Holds from the next opening on." />
      <button type="button" class="button" disabled={info.value === null} onClick={() => void reopen()}>
        Open the model again
      </button>
      <h3>Keys</h3>
      <Keys />
    </div>
  );
}

function SystemPrompt() {
  return (
    <Field label="System prompt" hint="What the model is told before every conversation: who it is, how to answer.">
      {(ids) => (
        <textarea
          {...ids}
          class="input"
          rows={4}
          placeholder="You are a helpful assistant."
          value={settings.value.system}
          onInput={(event) => change({ system: event.currentTarget.value })}
        />
      )}
    </Field>
  );
}

const kPresets: [string, Partial<Settings>][] = [
  ["Exact", { temperature: 0 }],
  ["Balanced", { temperature: kDefaults.temperature, topP: kDefaults.topP, minP: kDefaults.minP, topK: 0,
    repetitionPenalty: 1 }],
  ["Playful", { temperature: 1.1, topP: 1, minP: 0.05, topK: 0, repetitionPenalty: 1 }],
];

function Presets() {
  const chosen = (preset: Partial<Settings>) =>
    Object.entries(preset).every(([key, value]) => settings.value[key as keyof Settings] === value);
  return (
    <fieldset class="segments">
      <legend class="hidden">Presets</legend>
      {kPresets.map(([label, preset]) => (
        <label key={label}>
          <input type="radio" name="preset" checked={chosen(preset)} onChange={() => change(preset)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface SliderProps {
  name: NumberKey;
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number;
  off?: string; // what is shown at offAt
  offAt?: number;
}

function Slider({ name, label, hint, min, max, step, off, offAt = 0 }: SliderProps) {
  const value = settings.value[name];
  const shown = off !== undefined && value === offAt ? off : String(value);
  return (
    <Field label={label} hint={hint} value={shown}>
      {(ids) => (
        <input
          {...ids}
          type="range"
          min={min}
          max={max}
          step={step}
          value={value}
          onInput={(event) => change({ [name]: event.currentTarget.valueAsNumber })}
        />
      )}
    </Field>
  );
}

interface NumberFieldProps {
  name: NumberKey;
  label: string;
  hint: string;
  max: number;
  empty: string; // what no number means; kept as 0
}

function NumberField({ name, label, hint, max, empty }: NumberFieldProps) {
  const value = settings.value[name];
  const onInput = (text: string) => {
    const n = Math.floor(Number(text));
    change({ [name]: Number.isFinite(n) ? Math.min(max, Math.max(0, n)) : 0 });
  };
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <input
          {...ids}
          class="input"
          type="number"
          min={0}
          max={max}
          placeholder={empty}
          value={value === 0 ? "" : value}
          onChange={(event) => onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

const kDevices: [DeviceWish, string][] = [
  ["auto", "The best there is"],
  ["gpu", "GPU, by WebGPU"],
  ["cpu", "CPU, by WebAssembly"],
];

function Device() {
  return (
    <Field label="Device" hint="Where the model computes. Holds from the next opening on.">
      {(ids) => (
        <select
          {...ids}
          class="input"
          value={settings.value.device}
          onChange={(event) => change({ device: event.currentTarget.value as DeviceWish })}
        >
          {kDevices.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function Keys() {
  return (
    <dl class="keys">
      <dt>Enter</dt>
      <dd>send</dd>
      <dt>Shift + Enter</dt>
      <dd>a new line</dd>
      <dt>Escape</dt>
      <dd>stop the answer, close what is open</dd>
      <dt>/</dt>
      <dd>to the message box</dd>
      <dt>Ctrl + Shift + Enter</dt>
      <dd>new chat</dd>
    </dl>
  );
}
