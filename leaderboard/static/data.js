// Loads the site's data files, which are scripts: opened from a file, a page may load nothing else.
"use strict";

const siteRoot = new URL("..", document.currentScript.src);
const arrivals = new Map(); // what is told when a file has come
const files = new Map();

// The content of a file, by its path below the site's folder; it is loaded once.
function data(path) {
  if (!files.has(path)) {
    const content = new Promise((resolve, reject) => {
      arrivals.set(path, resolve);
      const onerror = () => {
        files.delete(path); // so that it is tried again
        reject(new Error(`${path} cannot be loaded`));
      };
      const script = { src: new URL(path, siteRoot), onerror };
      document.head.append(Object.assign(document.createElement("script"), script));
    });
    files.set(path, content);
  }
  return files.get(path);
}

// Called by the files.
function dataLoaded(path, content) {
  arrivals.get(path)(content);
}

// What the address asks for, as parameters; nothing where it is a place on the page.
function askedFor() {
  const hash = location.hash.slice(1);
  return document.getElementById(decoded(hash)) ? undefined : new URLSearchParams(hash);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that encodes nothing
  }
}

// Says in a place of the page why something failed.
function failedIn(place) {
  return ({ message }) => place.replaceChildren(element("p", { className: "message", textContent: message }));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
