// How large things are drawn, in the units of the diagram: pixels, where it is not zoomed.

/** A box: the room beside its text, and how wide it gets. */
export const BOX = { height: 30, left: 31, right: 11, most: 250 };
/** A closed container. */
export const CLOSED = { height: 50, least: 168, most: 280 };
/** The head of an open container, and the space around what is in it. */
export const HEAD = 30;
export const PAD = 12;
