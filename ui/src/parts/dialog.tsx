// A modal question. The browser's own <dialog> keeps the focus inside and closes on Escape.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { askStop } from "./stop";

export function Dialog(props: {
  title: string; onClose: () => void; children: ComponentChildren; class?: string;
  /** The STOP question itself needs no way to STOP. */
  withoutStop?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  // Before the next frame: an operator who types F9 and Enter at once means STOP.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open) return;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref} class={`dialog ${props.class ?? ""}`} aria-labelledby="dialog-title"
      onCancel={(e) => {
        e.preventDefault();
        props.onClose();
      }}
    >
      <header>
        <h2 id="dialog-title">{props.title}</h2>
        {props.withoutStop ? null : (
          <button type="button" class="stop small" onClick={askStop} title="F9">STOP</button>
        )}
      </header>
      {props.children}
    </dialog>
  );
}

export function Failure(props: { text: string }) {
  return props.text ? <p class="failure" role="alert">{props.text}</p> : null;
}
