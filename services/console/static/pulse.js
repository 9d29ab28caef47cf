// A worker's timer goes on when its tab is in the background, where the page's own would come once a minute.
const EVERY_MS = 15_000;
setInterval(() => postMessage("pulse"), EVERY_MS);
