// Makes the pages live: numbers of the running job once a second. Without it they work by reloading.
"use strict";

(() => {
  // What somebody has chosen and not saved yet is not lost by a wrong click, or by a job that ends.
  let chosen = false;
  // What has been sent brings a page of its own; to reload this one would break that off.
  let sent = false;
  document.addEventListener("input", (event) => { chosen ||= event.target.form?.dataset.keep !== undefined; });
  document.addEventListener("submit", () => { chosen = false; sent = true; });
  window.addEventListener("beforeunload", (event) => { if (chosen) event.preventDefault(); });

  const page = document.body.dataset;
  if (!page.events) return;
  const events = new EventSource(page.events);
  const leave = () => {
    events.close();
    chosen = false;
    window.location.replace("/locked");
  };

  // A page that the browser has kept is asked for anew: it may have been locked meanwhile.
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
  // The console says when it closes the session, which another page may keep open; if the console itself has gone, the
  // page goes all the same.
  const shown = Date.now();
  let heard = shown;
  window.setInterval(() => {
    const now = Date.now();
    if (now - shown > (Number(page.idle) + 5) * 1000 && now - heard > 60 * 1000) leave();
  }, 1000);

  events.addEventListener("locked", leave);
  // It is closed for good when the console refuses it: this session is none of the console that answers now.
  events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) leave(); });
  window.addEventListener("pagehide", () => events.close());
  events.addEventListener("moment", (event) => {
    heard = Date.now();
    const moment = JSON.parse(event.data);
    // A job has begun or ended: what the page says is out of date. A form that is being filled in or sent is left alone.
    const filling = chosen || ["INPUT", "SELECT"].includes(document.activeElement?.tagName);
    if (page.running !== undefined && moment.running !== page.running && !filling && !sent) {
      events.close();
      window.location.reload();
      return;
    }
    const left = document.querySelector('[data-live="requests_left"]');
    if (left) left.textContent = moment.requests_left;
    const progress = document.querySelector('[data-live="progress"]');
    if (progress && moment.progress !== progress.shown && !progress.contains(document.activeElement)) {
      progress.innerHTML = moment.progress; // made and escaped by the console's own template
      progress.shown = moment.progress;
    }
  });
})();
