// The steps of decoding one token, as the plan has them, with the time that each took on the GPU: by layer in the order
// in which they run, and by kind of kernel.
import { signal } from "@preact/signals";
import type { Profile, ProfileStep } from "@tern/web";
import { isAnswering } from "../state/chat";
import { device, info, model } from "../state/model";
import { milliseconds, plural } from "./format";

interface Measured {
  model: string;
  profile: Profile;
}

const measured = signal<Measured | null>(null);
const measuring = signal(false);
const problem = signal("");

async function measure(): Promise<void> {
  const tern = model.value;
  if (tern === null) return;
  measuring.value = true;
  problem.value = "";
  try {
    measured.value = { model: tern.info.name, profile: await tern.profile() };
  } catch (error) {
    problem.value = error instanceof Error ? error.message : String(error);
  }
  measuring.value = false;
}

export function GpuPanel() {
  const result = measured.value?.model === info.value?.name ? measured.value : null;
  if (device.value?.kind === "cpu") return <NotHere why={device.value.why} />;
  const busy = measuring.value || isAnswering.value || info.value === null;
  return (
    <>
      <p>
        A model is compiled to a fixed plan: a list of small programs, each of which computes one value from others. For
        every token the GPU runs the whole list once, from the embedding of the last token to the choice of the next.
      </p>
      <button type="button" class="button" disabled={busy} onClick={() => void measure()}>
        {measuring.value ? "Measuring…" : "Measure a token"}
      </button>
      {problem.value !== "" && (
        <p class="error" role="alert">
          {problem.value}
        </p>
      )}
      {result !== null && <Result profile={result.profile} />}
    </>
  );
}

function NotHere({ why }: { why: string }) {
  return (
    <>
      <p>{why}</p>
      <p class="hint">
        On a GPU this shows the programs that compute a token, one by one, with the time that each takes. On the CPU the
        same plan runs inside the engine, where steps are not timed one by one.
      </p>
    </>
  );
}

function Result({ profile }: { profile: Profile }) {
  const { steps, totalMs, tokens, note } = profile;
  if (steps.length === 0) return <p class="hint">{note}</p>;
  return (
    <>
      <p class="figure">
        <span class="figure-number">{milliseconds(totalMs)}</span> in {plural(steps.length, "step")}
      </p>
      <p class="hint">
        Mean of {plural(tokens, "token")}. {note}
      </p>
      <h3>By kind of program</h3>
      <Bars rows={byKernel(steps)} />
      <h3>In order</h3>
      {sections(steps).map(({ title, steps }) => (
        <Section key={title} title={title} steps={steps} longest={Math.max(...profile.steps.map(({ ms }) => ms))} />
      ))}
    </>
  );
}

interface Row {
  label: string;
  detail: string;
  ms: number;
}

function Bars({ rows, longest = Math.max(...rows.map(({ ms }) => ms)) }: { rows: Row[]; longest?: number }) {
  return (
    <ul class="bars">
      {rows.map(({ label, detail, ms }, i) => (
        <li key={i}>
          <span class="bar-label" title={detail}>
            {label}
          </span>
          <span class="bar-value">{milliseconds(ms)}</span>
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${longest > 0 ? (100 * ms) / longest : 0}%` }} />
          </span>
        </li>
      ))}
    </ul>
  );
}

interface SectionProps {
  title: string;
  steps: ProfileStep[];
  longest: number;
}

function Section({ title, steps, longest }: SectionProps) {
  const total = steps.reduce((sum, { ms }) => sum + ms, 0);
  const rows = steps.map(({ name, kernel, ms }) => ({ label: shortName(name), detail: `${kernel}: ${name}`, ms }));
  return (
    <details class="section">
      <summary>
        <span class="grow">{title}</span>
        <span class="hint">
          {plural(steps.length, "step")}, {milliseconds(total)}
        </span>
      </summary>
      <Bars rows={rows} longest={longest} />
    </details>
  );
}

const shortName = (name: string): string => name.replaceAll(/blk\.\d+\./g, "");

function byKernel(steps: ProfileStep[]): Row[] {
  const sums = new Map<string, { n: number; ms: number }>();
  for (const { kernel, ms } of steps) {
    const sum = sums.get(kernel) ?? { n: 0, ms: 0 };
    sums.set(kernel, { n: sum.n + 1, ms: sum.ms + ms });
  }
  const rows = [...sums].map(([kernel, { n, ms }]) => ({ label: `${kernel} × ${n}`, detail: plural(n, "step"), ms }));
  return rows.sort((a, b) => b.ms - a.ms);
}

/// Runs of steps of the same layer; what lies before the first and after the last one is named by where it is.
function sections(steps: ProfileStep[]): { title: string; steps: ProfileStep[] }[] {
  const all: { title: string; steps: ProfileStep[] }[] = [];
  let seen = false;
  for (const step of steps) {
    seen ||= step.layer !== null;
    const title = step.layer !== null ? `Layer ${step.layer}` : seen ? "Logits and the next token" : "Embedding";
    if (all.at(-1)?.title !== title) all.push({ title, steps: [] });
    all.at(-1)?.steps.push(step);
  }
  return all;
}
