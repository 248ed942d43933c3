export function Review(_p: { id?: string; plan?: string | undefined }) { return <p>…</p>; }
