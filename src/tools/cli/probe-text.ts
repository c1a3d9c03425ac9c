/** Text that engines are verified with where none is given: plain prose with names and numbers, about 200 tokens. */
export const PROBE_TEXT = `Anna lives in a small house near the sea. Every morning she walks to the harbour with her dog. The dog is
called Max, and he is seven years old. He likes to run along the water and to look for birds. When the sun is high, the two of
them sit down on a bench and watch the ships. Some of the ships are old and slow, and others are new and fast.

One day an old man sat down next to them. "That tower over there is a lighthouse," he said. "My father worked in it for 32 years.
At night he lit the lamp, so that the ships could find their way home. In the winter of 1953 there was a storm, and the lamp went
out. My father climbed the stairs in the dark, all 120 of them, and held a lantern in his hand until the morning."

Anna asked him what had happened to the ships. The old man smiled. "All of them came home," he said. "The last one brought a
sailor who had lost his hat. He married my sister in the spring." Max looked up, as if he had understood every word.
`;
