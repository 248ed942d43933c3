export function Audit(_p: { id?: string; plan?: string | undefined }) { return <p>…</p>; }
