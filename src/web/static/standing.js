// Where the reader stands, in one sentence: `Standing::of` in views.rs says the same.

import { formatMoney } from './money.js';
import { t } from './texts.js';

/** `{ mood, text }` of the room's state at server time `now`. */
export function standingOf(room, now) {
  const { top, me, hasBid } = room;
  if (room.closed) {
    const { winner, amount } = room.closed;
    if (!winner) return { mood: 'neutral', text: t('unsold') };
    const price = formatMoney(amount, room.currency);
    if (winner.id === me) return { mood: 'won', text: t('you_won', { amount: price }) };
    return { mood: hasBid ? 'lost' : 'neutral', text: t('sold_to', { nick: winner.nick, amount: price }) };
  }
  if (now >= room.endsAt) return { mood: 'neutral', text: t('closing') };
  if (!top) return { mood: 'neutral', text: t('nobody_yet') };
  if (top.bidder.id === me) return { mood: 'leading', text: t('you_lead') };
  const nick = top.bidder.nick;
  return hasBid ? { mood: 'outbid', text: t('you_outbid', { nick }) } : { mood: 'neutral', text: t('other_leads', { nick }) };
}
