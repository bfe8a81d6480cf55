// Icons drawn for this page, on a grid of 24, in the colour of the text around them.
const kPaths = {
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  check: "M5 12.5l4.500 4.500L19 7.500",
  again: "M19 12a7 7 0 1 1-2.200-5.100M19 4v4h-4",
  pencil: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  menu: "M4 7h16M4 12h16M4 17h16",
  sliders: "M4 8h9M17 8h3M15 6v4M4 16h3M11 16h9M9 14v4",
  gauge: "M4 17a8 8 0 1 1 16 0M12 17l4-5",
  chip: "M7 7h10v10H7zM10 4v3M14 4v3M10 17v3M14 17v3M4 10h3M4 14h3M17 10h3M17 14h3",
  close: "M6 6l12 12M18 6L6 18",
  down: "M7 10l5 5 5-5",
  file: "M7 4h7l4 4v12H7zM14 4v4h4",
  save: "M12 5v10M8 11l4 4 4-4M5 19h14",
  warning: "M12 4l9 16H3zM12 10v5M12 17.500v.5",
} as const;

export type IconName = keyof typeof kPaths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={kPaths[name]} />
    </svg>
  );
}

const kBird =
  "M2 11.500c6-1.200 10 1.500 13.500 7 2.200-7 7-11 14.500-12-5.200 3.500-8.500 8-10.300 16.500" +
  "l-3.700-1.800c-3.400-4.700-7.600-7.500-14-9.700z";

/// The bird of the name: two swept wings.
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d={kBird} />
    </svg>
  );
}
