// Makes the button that opens the app. The secret is in the part of the address after the `#`,
// which a browser sends to nobody; nor does this script.
"use strict";

function showButton() {
  const secret = location.hash.slice(1);
  const complete = /^[A-Za-z0-9_-]{22}$/.test(secret);
  if (complete) {
    const server = encodeURIComponent(location.origin);
    document.getElementById("open").href = `quartet://join?server=${server}#${secret}`;
  }
  document.getElementById("ready").hidden = !complete;
  document.getElementById("incomplete").hidden = complete;
}

// Another link pasted into the same tab changes the hash only.
addEventListener("hashchange", showButton);
showButton();
