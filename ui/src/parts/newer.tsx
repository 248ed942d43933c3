// What became of a plan under review, and which one waits in its place. A plan is never swapped for another on the
// screen: whoever reads one goes to the next by a link.
import type { PlanRow } from "../api";
import { isOpen, isRunning, successor } from "../judge";
import { href } from "../router";
import { live } from "../state/store";
import { Time } from "./bits";

export function Newer(props: { plan: PlanRow }) {
  const { plan } = props;
  const next = successor(plan, live.value?.plans ?? []);
  const isOver = !isOpen(plan) && !isRunning(plan);
  if (next === null) return null;
  return (
    <p class="newer" role="status">
      {isOver ? "This plan is kept here as it was. Another one" : "Another plan"}, made <Time at={next.created} />, waits
      for approval{isOver ? " in its place" : " and would follow this one"}. <a href={href("plans", next.id)}>Review {next.id}</a>
    </p>
  );
}
