import type { Course, CourseEdge } from '../../core/course.js';

/** Nodes of a course while it is made. */
export class CourseNodes {
  readonly #nodes: { isFinal: boolean; readonly edges: CourseEdge[] }[] = [];

  add(isFinal = false): number {
    return this.#nodes.push({ isFinal, edges: [] }) - 1;
  }

  makeFinal(node: number): void {
    this.#nodes[node]!.isFinal = true;
  }

  connect(node: number, ...edges: readonly CourseEdge[]): void {
    this.#nodes[node]!.edges.push(...edges);
  }

  build(start: number): Course {
    return { nodes: this.#nodes, start };
  }
}
