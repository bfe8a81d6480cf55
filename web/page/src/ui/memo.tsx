// A component that is rendered anew only when `same` says that its properties differ.
import { Component } from "preact";
import type { ComponentChildren } from "preact";

export function memo<P extends object>(
  render: (props: P) => ComponentChildren,
  same: (before: Readonly<P>, after: Readonly<P>) => boolean,
) {
  return class extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      return !same(this.props, next);
    }

    override render(): ComponentChildren {
      return render(this.props);
    }
  };
}
