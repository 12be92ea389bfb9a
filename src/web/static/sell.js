// The form for a new item: a preview of the picture, its size checked before it travels, an own end time.

import './page.js';
import { t } from './texts.js';

const PICTURE_BYTES_MAX = 5 * 1024 * 1024;
const KINDS = ['image/png', 'image/jpeg', 'image/webp'];

const byId = (id) => document.getElementById(id);
const picture = byId('img');
const preview = byId('preview');
const fault = byId('img-fault');
const duration = byId('duration');
const endsLocal = byId('ends-local');
const endsAt = byId('ends-at');

function checkPicture() {
  const [file] = picture.files;
  let wrong = '';
  if (file && file.size > PICTURE_BYTES_MAX) wrong = t('picture_too_large');
  else if (file && !KINDS.includes(file.type)) wrong = t('picture_wrong_kind');
  picture.setCustomValidity(wrong);
  fault.textContent = wrong;
  fault.hidden = !wrong;
  const image = preview.querySelector('img');
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = !file || Boolean(wrong);
  if (!image.hidden) image.src = URL.createObjectURL(file);
}

function chooseEnd() {
  const custom = duration.value === 'custom';
  byId('custom-end').hidden = !custom;
  endsLocal.required = custom;
  endsAt.value = custom && endsLocal.value ? new Date(endsLocal.value).toISOString() : '';
}

/** Shows the end that came back with a form that was refused. */
function restoreEnd() {
  const end = new Date(endsAt.value);
  if (Number.isNaN(end.valueOf())) return;
  const local = new Date(end.valueOf() - end.getTimezoneOffset() * 60_000);
  endsLocal.value = local.toISOString().slice(0, 'YYYY-MM-DDThh:mm'.length);
}

restoreEnd();
chooseEnd();
picture.addEventListener('change', checkPicture);
const customChoice = byId('custom-duration');
customChoice.hidden = false;
customChoice.disabled = false;
duration.addEventListener('change', chooseEnd);
endsLocal.addEventListener('change', chooseEnd);
byId('sell-form').addEventListener('submit', chooseEnd);
