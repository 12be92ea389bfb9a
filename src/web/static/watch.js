// The button that puts an auction among those that the reader watches.

import { t } from './texts.js';

export function startWatch(auctionId) {
  const button = document.getElementById('watch');
  if (!button) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const watched = button.getAttribute('aria-pressed') === 'true';
    button.disabled = true;
    const response = await fetch(`/api/v1/auctions/${auctionId}/watch`, {
      method: watched ? 'DELETE' : 'PUT',
      credentials: 'same-origin',
    }).catch(() => null);
    button.disabled = false;
    if (!response?.ok) return;
    button.setAttribute('aria-pressed', String(!watched));
    button.textContent = t(watched ? 'watch' : 'unwatch');
  });
}
