// What is laid in with the worker: the files of this release, and the page for "no network" in each language.
const { DIGEST, REVISION, OUT } = process.env;

module.exports = {
  globDirectory: "../web/static",
  globPatterns: ["*.{css,js,svg}", "vendor/*.js", "fonts/*.woff2"],
  globIgnores: ["without-script.css"],
  modifyURLPrefix: { "": `/static/${DIGEST}/` },
  // The address changes with the files.
  dontCacheBustURLsMatching: /^\/static\//,
  additionalManifestEntries: [
    { url: `/static/${DIGEST}/offline.js`, revision: null },
    { url: `/static/${DIGEST}/ticket-check.js`, revision: null },
    { url: "/offline/es", revision: REVISION },
    { url: "/offline/en", revision: REVISION },
  ],
  swSrc: `${OUT}/bundle.js`,
  swDest: `${OUT}/service-worker.js`,
};
