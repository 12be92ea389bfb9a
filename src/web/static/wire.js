// The server's words, brought into one shape.

/** The auction in a snapshot, whether it stands by itself or in a member. */
export function viewOf(snapshot) {
  return snapshot.auction ?? snapshot;
}

/** Whether it is settled who won, if anyone did. */
export function settled(view) {
  return view.state === 'closed';
}

/** The newest seqs in a tick as pairs of auction id and seq. */
export function heads(tick) {
  return Object.entries(tick.heads ?? {}).map(([id, head]) => [id, typeof head === 'number' ? head : head.seq]);
}

/** A UUID, also where the page is not in a secure context and randomUUID is missing. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}
