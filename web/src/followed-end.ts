/** The end of a log, which stays in view while the log grows. */
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

/** A reader this near to the end has not left it. */
const NEAR_PIXELS = 40;

/**
 * Scrolls to the end whenever the log grows, also where an answer is rendered later than it came, until the reader scrolls up.
 * @param last Name of the last entry: with another one the end is followed again.
 */
export function useFollowedEnd(log: RefObject<HTMLElement | null>, last: string | undefined): void {
  useEffect(() => {
    const box = log.current;
    if (box === null) return;
    let isFollowed = true;
    const toEnd = (): void => {
      if (isFollowed) box.scrollTop = box.scrollHeight;
    };
    const onScroll = (): void => {
      isFollowed = box.scrollHeight - box.clientHeight - box.scrollTop < NEAR_PIXELS;
    };
    const growth = new MutationObserver(toEnd);
    growth.observe(box, { childList: true, characterData: true, subtree: true });
    box.addEventListener('scroll', onScroll);
    toEnd();
    return () => {
      growth.disconnect();
      box.removeEventListener('scroll', onScroll);
    };
  }, [last]);
}
