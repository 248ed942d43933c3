export function Alarms(_p: { id?: string; plan?: string | undefined }) { return <p>…</p>; }
