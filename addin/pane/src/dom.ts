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

/** Show other content, and leave the keyboard where it was when that place is still there. */
export function show(root: Element, ...children: Child[]): void {
  const focused = document.activeElement instanceof HTMLElement && root.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...root.querySelectorAll("details[open][id]")].map((one) => one.id));
  root.replaceChildren(...children.filter((child): child is Node | string => !!child));
  for (const one of root.querySelectorAll<HTMLDetailsElement>("details[id]")) if (open.has(one.id)) one.open = true;
  if (focused) document.getElementById(focused)?.focus();
}
