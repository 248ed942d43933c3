// Commands of one plan, asked for again every two seconds while somebody looks.
import { useEffect, useState } from "preact/hooks";
import type { CommandRow } from "../api";
import { call, explain } from "../net";

const EVERY_MS = 2000;

export function useCommands(plan: string | null): { rows: CommandRow[] | null; problem: string } {
  const [rows, setRows] = useState<CommandRow[] | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (plan === null) return;
    let over = false;
    let timer = 0;
    const ask = async (): Promise<void> => {
      const query = `plan=${encodeURIComponent(plan)}`;
      const answer = await call<{ commands: CommandRow[] }>("GET", `commands?${query}`);
      if (over) return;
      if (answer.ok) setRows(answer.value.commands);
      setProblem(answer.ok ? "" : explain(answer.problem));
      timer = window.setTimeout(() => void ask(), EVERY_MS);
    };
    setRows(null);
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [plan]);
  return { rows, problem };
}
