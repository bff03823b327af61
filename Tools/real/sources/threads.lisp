;;; Lisp threads over mutexes, a queue with a condition and a semaphore, while garbage is made so that the collector
;;; stops them again and again; some are interrupted where they wait.
(defvar *lock* (sb-thread:make-mutex :name "sum"))
(defvar *queue-lock* (sb-thread:make-mutex :name "queue"))
(defvar *filled* (sb-thread:make-waitqueue))
(defvar *permits* (sb-thread:make-semaphore :count 3))
(defvar *queue* '())
(defvar *sum* 0)
(declaim (type fixnum *sum*))

(defun take ()
  (sb-thread:with-mutex (*queue-lock*)
    (loop until *queue* do (sb-thread:condition-wait *filled* *queue-lock* :timeout 5))
    (pop *queue*)))

(defun put (item)
  (sb-thread:with-mutex (*queue-lock*)
    (push item *queue*)
    (sb-thread:condition-notify *filled*)))

(defun work ()
  (loop for item = (take) until (eq item :end) do
    (sb-thread:wait-on-semaphore *permits*)
    (let ((garbage (loop repeat 400 collect (make-array 64 :initial-element item))))
      (sb-thread:with-recursive-lock (*lock*) (incf *sum* (aref (first garbage) 0))))
    (sb-thread:signal-semaphore *permits*)))

(dotimes (round 3)
  (let ((threads (loop repeat 6 collect (sb-thread:make-thread #'work))))
    (loop for item from 1 to 1500 do
      (put item)
      (when (zerop (mod item 100))
        (sb-thread:interrupt-thread (nth (mod item 6) threads) (lambda () (make-array 100)))
        (sb-ext:gc)))
    (dolist (thread threads) (put :end))
    ;; LIFO: ends may come before items; the remaining items are taken here.
    (mapc #'sb-thread:join-thread threads)
    (dolist (item *queue*) (unless (eq item :end) (incf *sum* item)))
    (setf *queue* '())))
(format t "sum ~d~%" *sum*)
