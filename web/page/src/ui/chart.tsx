// A live line chart as SVG: values over time, the newest at the right.
const kWidth = 320;
const kHeight = 120;
const kLeft = 34; // room for the scale's labels

interface ChartProps {
  values: number[];
  places: number; // values that fill the width
  label: string;
}

/// The smallest of 1, 2, 3, 4, 5, 6, 8 x 10^n that is not below `value`.
export function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const step = [1, 2, 3, 4, 5, 6, 8, 10].find((s) => s * power >= value) ?? 10;
  return step * power;
}

export function Chart({ values, places, label }: ChartProps) {
  const top = niceTop(Math.max(10, ...values));
  const x = (i: number) => kLeft + ((i + places - values.length) / (places - 1)) * (kWidth - kLeft);
  const y = (value: number) => kHeight - 8 - (value / top) * (kHeight - 16);
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
  const base = y(0).toFixed(1);
  const area = `${x(0).toFixed(1)},${base} ${points.join(" ")} ${x(values.length - 1).toFixed(1)},${base}`;
  return (
    <svg class="chart" viewBox={`0 0 ${kWidth} ${kHeight}`} role="img" aria-label={label}>
      {[0, top / 2, top].map((value) => (
        <g key={value}>
          <line class="chart-grid" x1={kLeft} x2={kWidth} y1={y(value)} y2={y(value)} />
          <text class="chart-label" x={kLeft - 6} y={y(value) + 3.5} text-anchor="end">
            {value}
          </text>
        </g>
      ))}
      {values.length > 1 && <polygon class="chart-area" points={area} />}
      {values.length > 1 && <polyline class="chart-line" points={points.join(" ")} />}
    </svg>
  );
}
