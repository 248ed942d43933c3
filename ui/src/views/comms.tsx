export function Comms(_p: { id?: string; plan?: string | undefined }) { return <p>…</p>; }
