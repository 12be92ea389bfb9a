// Money as people read and type it. Amounts are whole minor units; no float takes part in reading one.

import { lang } from './texts.js';

/** The largest amount that can be bid. */
export const MAX_MINOR = 1_000_000_000_000_000;
const formats = new Map();

function formatOf(currency) {
  if (!formats.has(currency)) {
    formats.set(currency, new Intl.NumberFormat(lang, { style: 'currency', currency }));
  }
  return formats.get(currency);
}

/** How many digits of an amount stand behind the point. */
export function decimalsOf(currency) {
  return formatOf(currency).resolvedOptions().maximumFractionDigits;
}

/** `12000` minor units of USD as the text `120.00`. */
export function toMajor(minor, currency) {
  const decimals = decimalsOf(currency);
  const digits = String(minor).padStart(decimals + 1, '0');
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** `$120.00`. */
export function formatMoney(minor, currency) {
  return formatOf(currency).format(toMajor(minor, currency));
}

/** Reads a typed amount: `{ minor }`, or `{ fault }` with the key of what is wrong. */
export function parseMajor(text, currency) {
  const match = /^(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!match) return { fault: 'not_a_number' };
  const decimals = decimalsOf(currency);
  const fraction = match[2] ?? '';
  if (fraction.length > decimals) return { fault: 'too_fine' };
  const minor = Number((match[1].replaceAll(',', '') + fraction.padEnd(decimals, '0')).replace(/^0+(?=\d)/, ''));
  return minor <= MAX_MINOR ? { minor } : { fault: 'too_large' };
}
