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
    /** Place of the end when it was last brought into view. */
    let endTop = 0;
    const isNearEnd = (): boolean => box.scrollHeight - box.clientHeight - box.scrollTop < NEAR_PIXELS;
    const toEnd = (): void => {
      // The event of a scroll may come after the text that follows it.
      if (box.scrollTop < endTop - NEAR_PIXELS && !isNearEnd()) isFollowed = false;
      if (!isFollowed) return;
      box.scrollTop = box.scrollHeight;
      endTop = box.scrollTop;
    };
    const onScroll = (): void => {
      isFollowed = isNearEnd();
      if (isFollowed) endTop = box.scrollTop;
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
