// Elements without a framework. Text is text: nothing is ever put in as HTML.
type Child = Node | string | false | null | undefined;
type Attributes = { [name: string]: string | boolean | ((event: Event) => void) | undefined };

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (typeof value === "string") made.setAttribute(name, value);
  }
  made.append(...children.filter((child): child is Node | string => !!child));
  return made;
}

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
const FIELDS = "input[type='search'][id], textarea[id], select[id]";

/**
 * Show other content. What was typed and not sent yet stays, where its field does; so does the keyboard's place. Where
 * the thing under the keyboard is gone, `fallback` gets the focus, so that the next Tab does not begin at the window's edge.
 */
export function show(root: Element, fallback: HTMLElement, ...children: Child[]): void {
  const active = document.activeElement;
  const inside = active instanceof HTMLElement && root.contains(active) ? active : null;
  const typed = new Map([...root.querySelectorAll<Field>(FIELDS)].map((one) => [one.id, one.value]));
  const caret = inside instanceof HTMLInputElement && inside.type === "search" || inside instanceof HTMLTextAreaElement
    ? [inside.selectionStart, inside.selectionEnd] as const : null;
  root.replaceChildren(...children.filter((child): child is Node | string => !!child));
  for (const one of root.querySelectorAll<Field>(FIELDS)) {
    const value = typed.get(one.id);
    if (value !== undefined) one.value = value;
  }
  if (!inside) return;
  const there = inside.id ? document.getElementById(inside.id) : null;
  if (!there) { fallback.focus(); return; }
  there.focus({ preventScroll: true });
  if (caret && (there instanceof HTMLInputElement || there instanceof HTMLTextAreaElement)) there.setSelectionRange(caret[0], caret[1]);
}
