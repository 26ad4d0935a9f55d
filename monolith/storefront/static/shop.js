// Everything here only enhances pages that are whole without it.
"use strict";

// Recommendations come from whoever answers the address: the shop, a service, a broken
// service. Only a real fragment may replace the place-holder; anything else hides it.
(() => {
  const isPlace = (element) => element instanceof Element && element.hasAttribute("data-place");
  const hide = (event) => {
    const place = event.detail.elt;
    if (isPlace(place)) place.hidden = true;
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, xhr } = event.detail;
    if (!isPlace(elt)) return;
    const type = (xhr.getResponseHeader("Content-Type") || "").toLowerCase();
    const fits = xhr.status === 200 && /^text\/html\s*(;|$)/.test(type)
      && xhr.getResponseHeader("X-Fragment") === elt.dataset.place;
    if (fits) return;
    event.detail.shouldSwap = false;
    event.detail.isError = false;
    hide(event);
  });
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:sendAbort", "htmx:responseError", "htmx:swapError"]) {
    document.addEventListener(name, hide);
  }
})();

// A choice that shows at once needs no button.
document.addEventListener("change", (event) => {
  const form = event.target instanceof Element && event.target.closest("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});
for (const button of document.querySelectorAll("form[data-submit-on-change] [data-without-script]")) button.hidden = true;
