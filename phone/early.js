// Runs before anything is drawn, so that nothing is drawn in a wrong colour: the choice of a dim screen.
// Owns nothing else: app.js starts the page.
try {
  if (localStorage.getItem("admit-dim")) document.documentElement.dataset.dim = "";
} catch {
  // storage is refused: the system's colours are good
}
