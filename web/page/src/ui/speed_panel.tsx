// Tokens per second as they come, what the last answer took, where the memory goes, and which device computes.
import { useEffect } from "preact/hooks";
import { isAnswering, livePhase } from "../state/chat";
import { current } from "../state/conversations";
import { device, info } from "../state/model";
import { kIntervalMs, memoryParts, rates, refreshStats, stats } from "../state/speed";
import type { AnswerStats } from "../state/types";
import { Chart } from "./chart";
import { bytes, milliseconds, rate } from "./format";

const kFewest = 25; // values that the chart has room for

export function SpeedPanel() {
  useEffect(() => {
    void refreshStats();
    const timer = setInterval(() => void (isAnswering.value && refreshStats()), 1000);
    return () => clearInterval(timer);
  }, [info.value]);
  const last = current.value?.messages.findLast((message) => message.stats !== undefined)?.stats;
  return (
    <>
      <Rates />
      {last !== undefined && <LastAnswer took={last} />}
      <h3>Memory</h3>
      <Memory />
      <h3>Device</h3>
      <p>{device.value?.why ?? "No model is open."}</p>
      {stats.value !== null && <p class="hint">WebAssembly: {stats.value.module.why}.</p>}
      {info.value !== null && <Opened />}
    </>
  );
}

function Rates() {
  const now = rates.value.at(-1);
  const writing = livePhase.value === "writing";
  const places = Math.max(kFewest, rates.value.length);
  const value = now === undefined ? "–" : rate(now);
  return (
    <>
      <p class="figure">
        <span class="figure-number">{value}</span> tokens/s
        <span class="hint">{writing ? "now" : "at the end of the last answer"}</span>
      </p>
      <Chart values={rates.value} places={places} label={`Tokens per second: ${value}`} />
      <p class="hint">The last {(places * kIntervalMs) / 1000} seconds of writing.</p>
    </>
  );
}

function LastAnswer({ took }: { took: AnswerStats }) {
  const { promptTokens, tokens, tokensPerSecond, firstTokenMs } = took;
  return (
    <>
      <h3>The last answer here</h3>
      <dl class="facts">
        <dt>Prompt</dt>
        <dd>{promptTokens} tokens</dd>
        <dt>First token after</dt>
        <dd>{milliseconds(firstTokenMs)}</dd>
        <dt>Answer</dt>
        <dd>{tokens} tokens</dd>
        <dt>On average</dt>
        <dd>{rate(tokensPerSecond)} tokens/s</dd>
      </dl>
    </>
  );
}

function Memory() {
  const parts = memoryParts();
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (total === 0) return <p class="hint">No model is open.</p>;
  const shared = stats.value?.sharedTokens ?? 0;
  return (
    <>
      <div class="stack" aria-hidden="true">
        {parts.map((part, i) => (
          <span key={part.label} class={`stack-part part-${i}`} style={{ flexGrow: part.bytes / total }} />
        ))}
      </div>
      <dl class="facts memory">
        {parts.map((part, i) => (
          <div key={part.label} class="memory-row">
            <dt>
              <span class={`key part-${i}`} aria-hidden="true" /> {part.label}
              <span class="hint"> {part.what}</span>
            </dt>
            <dd>{bytes(part.bytes)}</dd>
          </div>
        ))}
      </dl>
      {shared > 0 && (
        <p class="hint">{shared} tokens of prompts were not computed again: their keys and values were kept.</p>
      )}
    </>
  );
}

function Opened() {
  const times = info.value?.loadTimes;
  if (times === undefined) return null;
  const rows: [string, number][] = [
    ["Download", times.download],
    ["Reading and checking", times.read],
    ["Planning and placing weights", times.open],
    ["Waiting for kernels", times.compile],
  ];
  return (
    <>
      <h3>Opening it took</h3>
      <dl class="facts">
        {rows
          .filter(([, ms]) => ms > 0)
          .map(([label, ms]) => (
            <div key={label} class="memory-row">
              <dt>{label}</dt>
              <dd>{milliseconds(ms)}</dd>
            </div>
          ))}
      </dl>
    </>
  );
}
