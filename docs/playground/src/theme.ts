/** Light, dark, or what the system says; kept for the next visit where the browser allows it. */
const THEMES = ['auto', 'light', 'dark'] as const;
const KEY = 'loretta-theme';

/** Makes a button go through the themes. */
export function themeButton(button: HTMLButtonElement): void {
  let current = THEMES.indexOf(stored() as (typeof THEMES)[number]);
  if (current < 0) current = 0;
  const apply = (): void => {
    const theme = THEMES[current]!;
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    button.textContent = `Theme: ${theme}`;
  };
  button.addEventListener('click', () => {
    current = (current + 1) % THEMES.length;
    apply();
    try {
      localStorage.setItem(KEY, THEMES[current]!);
    } catch {
      // storage is off: the choice holds for this visit
    }
  });
  apply();
}

function stored(): string {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}
