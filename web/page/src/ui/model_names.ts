// How models are called on the page.
import { kDemoFile, kDemoName } from "../state/demo";

export function modelTitle(name: string): string {
  return name === kDemoFile ? kDemoName : name.replace(/\.gguf$/i, "");
}
