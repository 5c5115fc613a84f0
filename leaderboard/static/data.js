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
      const script = { src: new URL(path, siteRoot), onerror: () => reject(new Error(`${path} cannot be loaded`)) };
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

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
