// The page's texts: the server puts those that scripts need into a meta element.

const texts = JSON.parse(document.querySelector('meta[name="gavel-texts"]').content);

export const lang = document.documentElement.lang;

/** The text of `key` with `%{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/%\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
