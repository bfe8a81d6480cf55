// Before the first paint: the chosen theme, so that a dark page never flashes white.
try {
  const theme = JSON.parse(localStorage.getItem("tern.settings") ?? "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage, no choice: the system's theme.
}
