// How a tag is shown next to its device: form and letter say what it forbids.
import type { Tag, TagKind } from "../api";

export const TAG_LETTER: Record<TagKind, string> = {
  "control inhibit": "I", "control authority": "A", caution: "C",
};
export const TAG_MEANS: Record<TagKind, string> = {
  "control inhibit": "somebody works on it: nothing is written to the device, not even its default.",
  "control authority": "somebody else has it: no plan uses the device; its default is still written when a lease ends.",
  caution: "plans may use it, and whoever approves one confirms to have read the tag.",
};

/** A filled square forbids, an outlined one warns. */
export function TagMark(props: { kind: TagKind }) {
  return <span class={`tag-mark ${props.kind === "caution" ? "warns" : "blocks"}`} aria-hidden="true">{TAG_LETTER[props.kind]}</span>;
}

/** The tag that counts most: what forbids comes before what warns. */
export function worstTag(tags: readonly Tag[] | undefined, device: string): TagKind | null {
  const mine = (tags ?? []).filter((t) => t.device === device).map((t) => t.kind);
  return (Object.keys(TAG_LETTER) as TagKind[]).find((k) => mine.includes(k)) ?? null;
}

/** In the one-line, in a box of 9 pixels with its upper left corner at x, y. */
export function TagGlyph(props: { kind: TagKind; x: number; y: number }) {
  const { x, y } = props;
  return (
    <g class={`tag-glyph ${props.kind === "caution" ? "warns" : "blocks"}`} transform={`translate(${x} ${y})`}>
      <rect width="9" height="9" rx="1" /><text x="4.5" y="7.4">{TAG_LETTER[props.kind]}</text>
    </g>
  );
}
