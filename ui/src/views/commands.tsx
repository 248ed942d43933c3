export function Commands(_p: { id?: string; plan?: string | undefined }) { return <p>…</p>; }
