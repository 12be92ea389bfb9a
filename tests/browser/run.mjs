// All tests of the pages in a real browser, one file after the other in one browser: some of them measure.
//
// Needs a running server with demo data at BASE_URL whose rate limits are off, and Debian's chromium. A file also runs by
// itself: `node --test room.test.mjs`. Each test makes its own auctions through the API, so that none depends on what
// another left behind.

import './room.test.mjs';
import './bidding.test.mjs';
import './line.test.mjs';
import './list.test.mjs';
import './forms.test.mjs';
import './pages.test.mjs';
