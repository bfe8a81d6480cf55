// Buttons and fields as they look everywhere on the page.
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { tell } from "../state/notices";
import { Icon } from "./icons";
import type { IconName } from "./icons";

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
}

/// A button that is an icon; its label is read out and shown as a tooltip.
export function IconButton({ icon, label, onClick, pressed, disabled, class: name = "" }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${name}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      tell("The browser does not let this page copy.");
    }
  };
  return <IconButton icon={copied ? "check" : "copy"} label={copied ? "Copied" : label} onClick={() => void copy()} />;
}

interface FieldProps {
  label: string;
  hint: string;
  children: (ids: { id: string; "aria-describedby": string }) => ComponentChildren;
  value?: string; // shown beside the label
}

/// A labelled field with a line that explains it.
export function Field({ label, hint, value, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <div class="field-head">
        <label for={id}>{label}</label>
        {value !== undefined && <output for={id}>{value}</output>}
      </div>
      {children({ id, "aria-describedby": `${id}-hint` })}
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}
